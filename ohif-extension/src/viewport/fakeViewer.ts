/** A viewer for tests: stacks and volumes that turn to slices as Cornerstone's do, and services that count listeners. */
import type { CornerstoneLibraries, Point3, Subscription, SvgDrawingHelper, ViewReference, Viewport, ViewportServices } from '../ohif/types';

const EVENTS: Readonly<Record<string, string>> = {
  ELEMENT_ENABLED: 'ELEMENT_ENABLED',
  ELEMENT_DISABLED: 'ELEMENT_DISABLED',
  STACK_NEW_IMAGE: 'STACK_NEW_IMAGE',
  VOLUME_NEW_IMAGE: 'VOLUME_NEW_IMAGE',
  IMAGE_RENDERED: 'IMAGE_RENDERED',
};

export const FRAME_OF_REFERENCE = '1.9';

export function imageIdOf(uid: string): string {
  return `wadors:/studies/1/series/2/instances/${uid}/frames/1`;
}

/** Shows slices by SOPInstanceUID; a turn arrives in the next task, as after loading. */
export class FakeViewport {
  readonly element = document.createElement('div');
  readonly renderingEngineId = 'engine';
  inPlane = true;
  normal: Point3 = [0, 0, -1];
  focus: Point3 = [0, 0, 0];
  uids: string[];
  current: string | undefined;

  constructor(
    readonly id: string,
    uids: string[],
    readonly type: 'stack' | 'orthographic' = 'stack',
  ) {
    this.uids = uids;
    this.current = uids[0];
  }

  getImageIds(): string[] {
    return this.uids.map(imageIdOf);
  }

  getCurrentImageId(): string | undefined {
    return this.current === undefined ? undefined : imageIdOf(this.current);
  }

  getFrameOfReferenceUID(): string {
    return FRAME_OF_REFERENCE;
  }

  isInAcquisitionPlane(): boolean {
    return this.inPlane;
  }

  getCamera(): { viewPlaneNormal: Point3; focalPoint: Point3 } {
    return { viewPlaneNormal: this.normal, focalPoint: this.focus };
  }

  isReferenceViewable(reference: ViewReference, options?: { withNavigation?: boolean }): boolean {
    return options?.withNavigation === true && this.getImageIds().includes(reference.referencedImageId ?? '');
  }

  setViewReference(reference: ViewReference): void {
    if (reference.cameraFocalPoint) {
      this.focus = reference.cameraFocalPoint;
      return;
    }
    setTimeout(() => this.show(this.uids.find((uid) => imageIdOf(uid) === reference.referencedImageId)));
  }

  /** Turns to a slice and says so, as after the reader's wheel. */
  show(uid: string | undefined): void {
    this.current = uid;
    this.element.dispatchEvent(new CustomEvent(this.type === 'stack' ? 'STACK_NEW_IMAGE' : 'VOLUME_NEW_IMAGE'));
  }

  worldToCanvas([x, y]: Point3): [number, number] {
    return [x, y];
  }

  canvasToWorld([x, y]: [number, number]): Point3 {
    return [x, y, 0];
  }

  render(): void {
    return;
  }
}

class CountingTarget extends EventTarget {
  listeners = 0;

  override addEventListener(...added: Parameters<EventTarget['addEventListener']>): void {
    this.listeners += 1;
    super.addEventListener(...added);
  }

  override removeEventListener(...removed: Parameters<EventTarget['removeEventListener']>): void {
    this.listeners -= 1;
    super.removeEventListener(...removed);
  }
}

/** What Cornerstone calls of a tool to have it draw. */
export interface DisplayTool {
  renderAnnotation(enabled: { viewport: FakeViewport }, svg: SvgDrawingHelper): boolean;
}

export class FakeViewer {
  readonly viewports: FakeViewport[] = [];
  readonly commands: { command: string; options: unknown }[] = [];
  readonly eventTarget = new CountingTarget();
  active = '';
  subscriptions = 0;
  toolNames: string[] = [];
  displaySets: { displaySetInstanceUID: string; instances: { SOPInstanceUID: string }[]; [more: string]: unknown }[] = [];
  /** What the reader was told. */
  readonly notices: string[] = [];
  /** What a command does to this viewer. */
  onCommand: (command: string) => void = () => undefined;
  /** What `imagePlaneModule` says besides, by SOPInstanceUID. */
  planes: Readonly<Record<string, object>> = {};
  /** The display tool that was added last. */
  tool: (new () => DisplayTool) | null = null;
  /** Height in mm of each slice by SOPInstanceUID. */
  readonly heights_mm: Readonly<Record<string, number>>;

  constructor(heights_mm: Readonly<Record<string, number>>) {
    this.heights_mm = heights_mm;
  }

  /** Enables a viewport; `shown`: its first image has come, too. */
  add(viewport: FakeViewport, shown = true): FakeViewport {
    this.viewports.push(viewport);
    this.active ||= viewport.id;
    document.body.append(viewport.element);
    this.#tell('ELEMENT_ENABLED', viewport);
    if (shown) viewport.show(viewport.current);
    return viewport;
  }

  remove(viewport: FakeViewport): void {
    this.viewports.splice(this.viewports.indexOf(viewport), 1);
    this.#tell('ELEMENT_DISABLED', viewport);
    viewport.element.remove();
  }

  /** Listeners on Cornerstone's event target. */
  get listeners(): number {
    return this.eventTarget.listeners;
  }

  get services(): ViewportServices {
    const subscribe = (): Subscription => {
      this.subscriptions += 1;
      return { unsubscribe: () => void (this.subscriptions -= 1) };
    };
    const grid = {
      EVENTS: { ACTIVE_VIEWPORT_ID_CHANGED: 'active', GRID_STATE_CHANGED: 'grid' },
      subscribe,
      getActiveViewportId: () => this.active,
      getState: () => ({ viewports: new Map() }),
    };
    const sets = {
      EVENTS: { DISPLAY_SETS_ADDED: 'added' },
      subscribe,
      getActiveDisplaySets: () => this.displaySets,
      getDisplaySetByUID: (uid: string) => this.displaySets.find((set) => set.displaySetInstanceUID === uid),
    };
    const notes = { show: ({ message }: { message: string }) => void this.notices.push(message) };
    const runCommand = (command: string, options?: unknown): void => {
      this.commands.push({ command, options });
      this.onCommand(command);
    };
    return {
      servicesManager: { services: { viewportGridService: grid, displaySetService: sets, uiNotificationService: notes } },
      commandsManager: { runCommand },
      extensionManager: { getModuleEntry: () => undefined },
      libraries: this.#libraries(),
    } as unknown as ViewportServices;
  }

  #libraries(): CornerstoneLibraries {
    const enabled = (viewport: FakeViewport) => ({ viewport: viewport as unknown as Viewport, viewportId: viewport.id, renderingEngineId: 'engine' });
    const group = {
      hasTool: (name: string) => this.toolNames.includes(name),
      addTool: (name: string) => void this.toolNames.push(name),
      setToolEnabled: () => undefined,
      setToolDisabled: (name: string) => {
        if (this.viewports.length === 0) throw new TypeError('the rendering engine is gone');
        this.toolNames = this.toolNames.filter((each) => each !== name);
      },
    };
    return {
      cornerstone: {
        Enums: { Events: EVENTS },
        eventTarget: this.eventTarget,
        metaData: { get: (module: string, imageId: string) => this.#metaData(module, imageId) },
        getEnabledElement: (element: HTMLDivElement) => this.viewports.filter((each) => each.element === element).map(enabled)[0],
        getEnabledElements: () => this.viewports.map(enabled),
      },
      cornerstoneTools: {
        AnnotationDisplayTool: class {
          mode = 'Disabled';
        },
        addTool: (tool: new () => DisplayTool) => void (this.tool = tool),
        ToolGroupManager: { getToolGroup: () => group, getToolGroupForViewport: () => group },
      },
    } as unknown as CornerstoneLibraries;
  }

  #metaData(module: string, imageId: string): unknown {
    const uid = /instances\/([^/]+)/.exec(imageId)?.[1] ?? '';
    if (module === 'instance') return { SOPInstanceUID: uid };
    return { imagePositionPatient: [0, 0, this.heights_mm[uid] ?? 0], ...this.planes[uid] };
  }

  #tell(name: string, { element }: FakeViewport): void {
    this.eventTarget.dispatchEvent(new CustomEvent(name, { detail: { element } }));
  }
}
