/** Our arrays against those that ndarray compiles, step by step. */
import fc from 'fast-check';
import { createRequire } from 'node:module';
import { afterEach, describe, expect, it } from 'vitest';
import { answerForNdarray } from './ndarray';

interface Array1 {
  data: unknown;
  dtype: string;
  dimension: number;
  shape: number[];
  stride: number[];
  size: number;
  offset: number;
  get(...at: number[]): number;
  set(...atAndValue: number[]): number;
  hi(...ends: (number | undefined)[]): Array1;
  lo(...starts: (number | undefined)[]): Array1;
  step(...steps: (number | undefined)[]): Array1;
  transpose(...axes: number[]): Array1;
  pick(...at: (number | undefined)[]): Array1;
}
type Ndarray = (data: unknown, shape?: number[], stride?: number[], offset?: number) => Array1;

let end: (() => void) | null = null;

/** The library anew, as it is before it has compiled anything. */
function ndarray(): Ndarray {
  const require = createRequire(import.meta.url);
  const name = require.resolve('ndarray');
  Reflect.deleteProperty(require.cache, name);
  return require(name) as Ndarray;
}

function ours(): Ndarray {
  end = answerForNdarray();
  return ndarray();
}

afterEach(() => end?.());

function facts(array: Array1): unknown {
  const { dtype, dimension, shape, stride, size, offset } = array;
  return { dtype, dimension, shape: [...shape], stride: [...stride], size, offset, values: valuesOf(array) };
}

/** All values, the last axis fastest. */
function valuesOf(array: Array1, at: number[] = []): number[] {
  if (at.length === array.dimension) return [array.get(...at)];
  return Array.from({ length: array.shape[at.length] ?? 0 }, (_, place) => valuesOf(array, [...at, place])).flat();
}

type Step = (array: Array1) => Array1;

/** Steps that fit an array of this many axes and at least one value along each. */
const steps = (dimension: number): fc.Arbitrary<Step> => {
  const perAxis = (values: fc.Arbitrary<number>) => fc.array(fc.option(values, { nil: undefined }), { maxLength: dimension });
  return fc.oneof(
    perAxis(fc.integer({ min: 1, max: 2 })).map((ends): Step => (array) => array.hi(...ends)),
    perAxis(fc.integer({ min: 0, max: 1 })).map((starts): Step => (array) => array.lo(...starts)),
    perAxis(fc.constantFrom(-2, -1, 1, 2)).map((by): Step => (array) => array.step(...by)),
    fc.shuffledSubarray([...Array(dimension).keys()], { minLength: dimension }).map((axes): Step => (array) => array.transpose(...axes)),
  );
};

const arrays = fc
  .array(fc.integer({ min: 3, max: 5 }), { minLength: 1, maxLength: 4 })
  .chain((shape) => fc.tuple(fc.constant(shape), fc.array(steps(shape.length), { maxLength: 3 })));

describe('arrays without compiling', () => {
  it('are like those of ndarray, however they are turned and cut', () => {
    fc.assert(
      fc.property(arrays, ([shape, taken]) => {
        const made = (library: Ndarray): unknown => {
          const data = Int16Array.from({ length: shape.reduce((a, b) => a * b) }, (_, at) => at);
          const array = taken.reduce((now, step) => step(now), library(data, shape));
          return [facts(array), facts(array.pick(0)), array.set(...array.shape.map(() => 0), -7), [...data]];
        };
        const theirs = made(ndarray());
        expect(made(ours())).toEqual(theirs);
        end?.();
      }),
      { numRuns: 60 },
    );
  });

  it('are single values, and nothing, at the end of picking', () => {
    const array = ours()(new Uint8Array([1, 2, 3]));
    expect(array.pick(1).get()).toBe(2);
    expect(array.pick(1).pick().dimension).toBe(-1);
    expect(array.dtype).toBe('uint8');
  });

  it('leave every other text to the browser', () => {
    const before = Function;
    end = answerForNdarray();
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- that this still works is the point
    const sum = new Function('a', 'b', 'return a + b') as (a: number, b: number) => number;
    expect(sum(1, 2)).toBe(3);
    expect(sum).toBeInstanceOf(Function);
    end();
    expect(Function).toBe(before);
  });
});
