import type { ColumnBuilder } from "../batch.ts";
import { badFile } from "../cells/bad-cell.ts";
import { quote } from "../schema.ts";
import { type ChunkPages, UnfitColumn } from "./chunk-pages.ts";
import type { Feed } from "./column-feed.ts";
import type { DecodedPage, PageLevels } from "./page-decoder.ts";
import type { ListLevels } from "./top-columns.ts";

export interface ListOptions {
  readonly name: string;
  readonly levels: ListLevels;
  /** Numbers of every list; unchecked when undefined. */
  readonly length: number | undefined;
  /** For some of these numbers, which of a batch's builders takes it. */
  readonly builders: ReadonlyMap<number, number>;
}

/** The rows of a column of lists, each of which has the same count of numbers or is null. Errors: UnfitColumn for a list of another length. */
export class ListFeed implements Feed {
  readonly #pages: ChunkPages;
  readonly #options: ListOptions;
  #page: LeveledPage | undefined;
  #level = 0;
  #value = 0;
  /** Elements of the row under way. */
  #elements = 0;
  #isNull = false;

  constructor(pages: ChunkPages, options: ListOptions) {
    this.#pages = pages;
    this.#options = options;
  }

  async take(at: number, rows: number, builders: readonly ColumnBuilder[]): Promise<void> {
    const batch = { at, rows, begun: 0, builders };
    for (;;) {
      if (this.#page === undefined || this.#level >= this.#page.rowLevels.repetition.length) {
        const next = await this.#pages.next();
        if (next === undefined) break;
        this.#page = withLevels(next);
        this.#level = 0;
        this.#value = 0;
      }
      if (this.#scan(this.#page, batch)) return;
    }
    if (batch.begun < rows) throw this.#pages.tooShort();
    this.#finishRow();
  }

  async close(): Promise<void> {
    await this.#pages.close();
  }

  /** Goes on to the end of the page, or (true) to where the first row behind those that are wanted begins. */
  #scan({ values, rowLevels }: LeveledPage, batch: BatchPart): boolean {
    const { repetition, definition } = rowLevels;
    const { list, element, present } = this.#options.levels;
    for (; this.#level < repetition.length; this.#level++) {
      if (repetition[this.#level] === 0) {
        if (batch.begun > 0) this.#finishRow();
        if (batch.begun === batch.rows) return true;
        batch.begun++;
        this.#elements = 0;
        this.#isNull = false;
      } else if (batch.begun === 0) throw badFile("A list of the Parquet file belongs to no row.", "Write it anew.");
      const level = definition[this.#level] as number;
      if (level < list) this.#isNull = true;
      else if (level >= element) {
        if (level === present) this.#put(batch, values.values[this.#value++] as number);
        this.#elements++;
      }
    }
    return false;
  }

  #put({ at, begun, builders }: BatchPart, value: number): void {
    const builder = this.#options.builders.get(this.#elements);
    if (builder !== undefined) (builders[builder] as ColumnBuilder).numbers[at + begun - 1] = value;
  }

  #finishRow(): void {
    const { name, length } = this.#options;
    if (this.#isNull || length === undefined || this.#elements === length) return;
    const problem = `Column ${quote(name)} has a list of ${this.#elements} numbers where others have ${length}.`;
    throw new UnfitColumn(
      badFile(problem, "Make all lists of equal length, or leave it out: --without."),
      name,
      ragged,
    );
  }
}

/** What is said of a column whose lists are of different lengths. */
const ragged = "holds lists of different lengths";

interface BatchPart {
  /** Its first row. */
  readonly at: number;
  readonly rows: number;
  begun: number;
  readonly builders: readonly ColumnBuilder[];
}

interface LeveledPage extends DecodedPage {
  readonly rowLevels: PageLevels;
}

function withLevels(page: DecodedPage): LeveledPage {
  if (page.levels === undefined) throw new Error("a page of lists has no levels");
  return { ...page, rowLevels: page.levels };
}

/** How many numbers the first list that is not empty has; undefined when none is among the pages. */
export async function listLength(pages: ChunkPages, { element }: ListLevels): Promise<number | undefined> {
  let length = 0;
  for (let page = await pages.next(); page !== undefined; page = await pages.next()) {
    const { repetition, definition } = withLevels(page).rowLevels;
    for (let level = 0; level < repetition.length; level++) {
      if (repetition[level] === 0 && length > 0) return length;
      if ((definition[level] as number) >= element) length++;
    }
  }
  return length > 0 ? length : undefined;
}
