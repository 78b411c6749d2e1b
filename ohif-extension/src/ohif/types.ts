/**
 * The part of OHIF and Cornerstone we use, as they behave in OHIF 3.11 to 3.14. OHIF publishes no types.
 *
 * What may be missing in one of these versions is optional here, so that the compiler asks for a guard.
 */

/** Ends a subscription to an OHIF service. */
export interface Subscription {
  unsubscribe(): void;
}

/** OHIF's own publish and subscribe, which most services have. */
export interface PubSub {
  EVENTS: Readonly<Record<string, string>>;
  subscribe(event: string, listener: (payload: unknown) => void): Subscription;
}

export type Point2 = [number, number];
export type Point3 = [number, number, number];

/** A stack or volume viewport of Cornerstone3D. */
export interface Viewport {
  id: string;
  type: string;
  renderingEngineId: string;
  element: HTMLDivElement;
  getCurrentImageId?(): string | undefined;
  /** Throws in a volume viewport before its volume is set. */
  getImageIds?(): string[];
  getFrameOfReferenceUID?(): string | undefined;
  isInAcquisitionPlane?(): boolean;
  isReferenceViewable?(reference: ViewReference, options?: { withNavigation?: boolean; asVolume?: boolean }): boolean;
  setViewReference?(reference: ViewReference): void;
  setProperties?(properties: Readonly<Record<string, unknown>>): void;
  worldToCanvas(point: Point3): Point2;
  canvasToWorld(point: Point2): Point3;
  render(): void;
}

export interface ViewReference {
  referencedImageId?: string;
  FrameOfReferenceUID?: string;
  sliceIndex?: number;
  /** The viewport moves along its normal until it shows this point. */
  cameraFocalPoint?: Point3;
}

export interface EnabledElement {
  viewport: Viewport;
  viewportId: string;
  renderingEngineId: string;
}

export interface SvgDrawingHelper {
  svgLayerElement: SVGElement;
  setNodeTouched(key: string): void;
  getSvgNode(key: string): SVGElement | undefined;
  appendNode(node: SVGElement, key: string): void;
}

/** The singletons the viewer itself uses: never bundle another Cornerstone. */
export interface CornerstoneLibraries {
  cornerstone: {
    Enums: { Events: Readonly<Record<string, string>> };
    eventTarget: EventTarget;
    metaData: { get(type: string, imageId: string): unknown };
    getEnabledElement(element: HTMLDivElement): EnabledElement | undefined;
    getEnabledElements?(): EnabledElement[];
  };
  cornerstoneTools: {
    AnnotationDisplayTool: abstract new (...parameters: never[]) => object;
    addTool(tool: unknown): void;
    ToolGroupManager: { getToolGroup(id: string): ToolGroup | undefined };
    utilities?: { triggerAnnotationRenderForViewportIds?(ids: string[]): void };
  };
}

export interface ToolGroup {
  hasTool?(name: string): boolean;
  addTool(name: string): void;
  setToolEnabled(name: string): void;
  setToolDisabled(name: string): void;
  getViewportIds?(): string[];
}

export interface ViewportGridService extends PubSub {
  getActiveViewportId(): string | null | undefined;
  getState(): { viewports: ReadonlyMap<string, GridViewport> };
}

export interface GridViewport {
  viewportId?: string;
  displaySetInstanceUIDs?: string[];
}

export interface CornerstoneViewportService extends PubSub {
  getCornerstoneViewport(id: string): Viewport | null | undefined;
}

export interface DisplaySet {
  displaySetInstanceUID: string;
  StudyInstanceUID: string;
  SeriesInstanceUID: string;
  SOPClassUID?: string;
  SOPClassHandlerId?: string;
  Modality?: string;
  instance?: Readonly<Record<string, unknown>>;
  instances?: Readonly<Record<string, unknown>>[];
  [more: string]: unknown;
}

export interface DisplaySetService extends PubSub {
  activeDisplaySets?: DisplaySet[];
  getActiveDisplaySets?(): DisplaySet[];
  getDisplaySetByUID(uid: string): DisplaySet | undefined;
  getDisplaySetsForSeries?(seriesUid: string): DisplaySet[];
}

export interface ToolGroupService {
  getToolGroup(id: string): ToolGroup | undefined;
}

export interface CustomizationService {
  /** OHIF 3.10 and later: one object of customizations, or the name of a module entry. */
  setCustomizations(customizations: Readonly<Record<string, unknown>>, scope?: string): void;
  getCustomization?(id: string): unknown;
}

export interface UINotificationService {
  show(notification: { title: string; message: string; type?: 'info' | 'success' | 'warning' | 'error' }): void;
}

/** Services are asked for by name; any may be absent. */
export interface Services {
  viewportGridService?: ViewportGridService;
  cornerstoneViewportService?: CornerstoneViewportService;
  displaySetService?: DisplaySetService;
  toolGroupService?: ToolGroupService;
  customizationService?: CustomizationService;
  uiNotificationService?: UINotificationService;
}

export interface ServicesManager {
  services: Services;
}

export interface CommandsManager {
  run?(command: string, options?: Readonly<Record<string, unknown>>): unknown;
  runCommand(command: string, options?: Readonly<Record<string, unknown>>, context?: string): unknown;
}

export interface ExtensionManager {
  getModuleEntry(id: string): unknown;
  getActiveDataSource?(): unknown[];
}

/** What OHIF hands to every module function and mode hook of an extension. */
export interface OhifContext {
  servicesManager: ServicesManager;
  commandsManager: CommandsManager;
  extensionManager: ExtensionManager;
}

/** What `viewport/` is started with. */
export interface ViewportServices extends OhifContext {
  libraries: CornerstoneLibraries;
}
