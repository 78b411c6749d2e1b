/** Points and directions in the patient coordinate system, in mm: x to the left, y to the back, z to the head. PS3.3 C.7.6.2.1.1. */
export type Vector = readonly [number, number, number];

/** The first three numbers as a vector; null where there are fewer or one is none. */
export function vector(values: unknown): Vector | null {
  if (!Array.isArray(values) && !ArrayBuffer.isView(values)) return null;
  const [x = NaN, y = NaN, z = NaN] = Array.from(values as ArrayLike<unknown>, Number);
  return Number.isFinite(x + y + z) ? [x, y, z] : null;
}

export function minus(a: Vector, b: Vector): Vector {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

/** `from`, moved by `times` × `step`. */
export function moved(from: Vector, step: Vector, times: number): Vector {
  return [from[0] + times * step[0], from[1] + times * step[1], from[2] + times * step[2]];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** The middle between two points. */
export function between(a: Vector, b: Vector): Vector {
  return moved(a, minus(b, a), 0.5);
}
