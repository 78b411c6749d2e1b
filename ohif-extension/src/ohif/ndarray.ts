/**
 * The arrays in which OHIF unpacks segmentations, for pages that forbid code made at run time.
 *
 * OHIF's adapters use the library ndarray, which writes a class as text for every kind and dimension of array and has it
 * compiled by `new Function`. A Content Security Policy without 'unsafe-eval' refuses that, and no segmentation is shown.
 * Here `Function` answers for these texts, and only for them, with one class that does the same. Interface: ndarray 1.0.
 */

type Data = Record<number, unknown> & { get?(index: number): unknown; set?(index: number, value: unknown): unknown };
type Construct = (data: Data, shape: number[], stride: number[], offset: number) => unknown;
/** `undefined` leaves an axis as it is. */
type PerAxis = readonly (number | undefined)[];

/** A view of some dimensions upon flat data. */
class View {
  readonly offset: number;

  constructor(
    readonly data: Data,
    readonly shape: number[],
    readonly stride: number[],
    offset: number,
    readonly dtype: string,
    private readonly picked: (dimension: number) => Construct,
  ) {
    this.offset = offset | 0;
  }

  get dimension(): number {
    return this.shape.length;
  }

  get size(): number {
    return this.shape.reduce((size, length) => size * length, 1);
  }

  /** The axes, the one with the smallest step in the data first. */
  get order(): number[] {
    const step = (axis: number): number => Math.abs(this.stride[axis] ?? 0);
    return [...this.stride.keys()].sort((a, b) => step(a) - step(b));
  }

  index(...at: number[]): number {
    let index = this.offset;
    for (let axis = 0; axis < this.stride.length; axis++) index += (this.stride[axis] ?? 0) * (at[axis] ?? NaN);
    return index;
  }

  get(...at: number[]): unknown {
    const index = this.index(...at);
    return this.dtype === 'generic' ? this.data.get?.(index) : this.data[index];
  }

  set(...atAndValue: unknown[]): unknown {
    const index = this.index(...(atAndValue as number[]));
    const value = atAndValue[this.stride.length];
    return this.dtype === 'generic' ? this.data.set?.(index, value) : (this.data[index] = value);
  }

  valueOf(): unknown {
    return this.dimension === 0 ? this.get() : this;
  }

  hi(...ends: PerAxis): View {
    return this.#with(this.shape.map((length, axis) => given(ends[axis]) ?? length), this.stride, this.offset);
  }

  lo(...starts: PerAxis): View {
    const from = this.shape.map((_, axis) => given(starts[axis]) ?? 0);
    return this.#with(this.shape.map((length, axis) => length - (from[axis] ?? 0)), this.stride, this.#offsetAt(from));
  }

  /** Every n-th; a negative step turns the axis round. */
  step(...steps: PerAxis): View {
    const by = this.shape.map((_, axis) => (steps[axis] ?? 1) | 0);
    const from = this.shape.map((length, axis) => ((by[axis] ?? 1) < 0 ? length - 1 : 0));
    const shape = this.shape.map((length, axis) => Math.ceil(length / Math.abs(by[axis] ?? 1)));
    return this.#with(shape, this.stride.map((stride, axis) => stride * (by[axis] ?? 1)), this.#offsetAt(from));
  }

  transpose(...axes: PerAxis): View {
    const order = this.shape.map((_, axis) => (axes[axis] ?? axis) | 0);
    return this.#with(order.map((axis) => this.shape[axis] ?? 0), order.map((axis) => this.stride[axis] ?? 0), this.offset);
  }

  /** The view at fixed places of some axes, which it has no longer. */
  pick(...at: PerAxis): unknown {
    const left = [...this.shape.keys()].filter((axis) => given(at[axis]) === null);
    const fixed = this.shape.map((_, axis) => given(at[axis]) ?? 0);
    const of = (values: number[]): number[] => left.map((axis) => values[axis] ?? 0);
    return this.picked(left.length)(this.data, of(this.shape), of(this.stride), this.#offsetAt(fixed));
  }

  #with(shape: number[], stride: number[], offset: number): View {
    return new View(this.data, shape, [...stride], offset, this.dtype, this.picked);
  }

  #offsetAt(at: number[]): number {
    return at.reduce((offset, place, axis) => offset + place * (this.stride[axis] ?? 0), this.offset);
  }
}

/** A place on an axis; null where none was named. */
function given(place: number | undefined): number | null {
  return typeof place === 'number' && place >= 0 ? place | 0 : null;
}

/** The array of nothing. */
function nothing(data: Data, dtype: string): object {
  const again = (): object => nothing(data, dtype);
  const none = { size: 0, dimension: -1, shape: [], stride: [], order: [], index: () => -1, pick: () => null };
  const void0 = (): undefined => undefined;
  return { data, dtype, ...none, lo: again, hi: again, step: again, transpose: again, get: void0, set: void0 };
}

/** What compiling ndarray's text would give; null for any other text. `parameters` are those of `new Function`. */
function compiled(parameters: readonly unknown[]): unknown {
  const text = parameters.at(-1);
  if (typeof text !== 'string') return null;
  const dtype = /proto\.dtype='(\w+)'/.exec(text)?.[1];
  const dimension = /proto\.dimension=(-?\d+)/.exec(text)?.[1];
  if (dtype === undefined || dimension === undefined) return null;
  const names = parameters.slice(0, -1).join();
  if (names === '' && dimension === '-1') return () => (data: Data) => nothing(data, dtype);
  if (names === 'TrivialArray' && dimension === '0') return (trivial: Construct) => viewsOf(dtype, 0, () => trivial);
  if (names !== 'CTOR_LIST,ORDER') return null;
  return (all: Construct[]) => viewsOf(dtype, Number(dimension), (left) => all[left + 1] ?? ((data) => nothing(data, dtype)));
}

function viewsOf(dtype: string, dimension: number, picked: (left: number) => Construct): Construct {
  const first = (values: number[]): number[] => (dimension === 0 ? [] : values.slice(0, dimension));
  return (data, shape, stride, offset) => new View(data, first(shape), first(stride), offset, dtype, picked);
}

/** From now on `new Function` gives ndarray what it wants without compiling. Returns the function that ends it. */
export function answerForNdarray(): () => void {
  const own = Function;
  const answering = new Proxy(own, {
    construct: (target, parameters: unknown[], made) => (compiled(parameters) ?? Reflect.construct(target, parameters, made)) as object,
  });
  Reflect.set(globalThis, 'Function', answering);
  return () => void Reflect.set(globalThis, 'Function', own);
}
