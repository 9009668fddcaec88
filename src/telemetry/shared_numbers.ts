// Numbers that one thread counts and the main thread reads at any time, also after the counting thread has died.

/** Ends of the parts of an entry are at multiples of this many bytes. */
const WORD = 8;

/** Where the first entry begins. Before it is the end of the last one, in words. */
const START = WORD;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Arrays of numbers by name, in memory that threads share. Arrays are added and stay. One thread writes; a number of 64 bits is read as
 * it was written before or after, never half. Each entry is: the length of its name in bytes and of its array (two unsigned 32-bit
 * numbers), the name, the array.
 */
export class SharedNumbers {
  readonly #memory: SharedArrayBuffer;
  /** The end of what is written, in words. It is stored after the entry, so that a reader sees whole entries. */
  readonly #end: Int32Array;
  readonly #known = new Map<string, Float64Array>();
  /** The end of what `#known` has, in bytes. */
  #knownEnd = START;

  /** Memory that holds nothing yet. The system gives a page of it when it is first written. */
  static memory(bytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(bytes);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    this.#end = new Int32Array(memory, 0, 1);
  }

  /**
   * Only the thread that counts may call this.
   * @param name not added before
   * @returns null: the memory is full
   */
  add(name: string, initial: readonly number[]): Float64Array | null {
    const text = encoder.encode(name);
    const start = Math.max(START, this.#end[0]! * WORD);
    const numbersAt = start + WORD + roundedUp(text.length);
    const end = numbersAt + initial.length * Float64Array.BYTES_PER_ELEMENT;
    if (end > this.#memory.byteLength) return null;
    new Uint32Array(this.#memory, start, 2).set([text.length, initial.length]);
    new Uint8Array(this.#memory, start + WORD, text.length).set(text);
    const numbers = new Float64Array(this.#memory, numbersAt, initial.length);
    numbers.set(initial);
    Atomics.store(this.#end, 0, end / WORD);
    return numbers;
  }

  /** All arrays by name. They change while their thread counts. */
  read(): ReadonlyMap<string, Float64Array> {
    const end = Atomics.load(this.#end, 0) * WORD;
    while (this.#knownEnd < end) {
      const [nameBytes, length] = new Uint32Array(this.#memory, this.#knownEnd, 2) as unknown as [
        number,
        number,
      ];
      const nameAt = this.#knownEnd + WORD;
      // A copy, because no text is decoded from shared memory.
      const name = decoder.decode(new Uint8Array(this.#memory, nameAt, nameBytes).slice());
      const numbersAt = nameAt + roundedUp(nameBytes);
      this.#known.set(name, new Float64Array(this.#memory, numbersAt, length));
      this.#knownEnd = numbersAt + length * Float64Array.BYTES_PER_ELEMENT;
    }
    return this.#known;
  }
}

function roundedUp(bytes: number): number {
  return Math.ceil(bytes / WORD) * WORD;
}
