import pg from "pg";

/** Databases are made from names of ours, never from a caller's text; still, only plain names pass. */
const plainName = /^[a-z_][a-z0-9_]{0,62}$/;

/** Makes a database unless it exists. Returns the given URL with the database's name in it. */
export async function createDatabase(url: string, name: string): Promise<string> {
  await withClient(url, async (client) => {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (rowCount === 0) await client.query(`create database ${checkName(name)}`);
  });
  return withDatabase(url, name);
}

/** Removes a database, cutting off its clients; nothing happens when it does not exist. */
export async function dropDatabase(url: string, name: string): Promise<void> {
  await withClient(url, (client) => client.query(`drop database if exists ${checkName(name)} with (force)`));
}

/** The same server, another database. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** Runs work on a connection of its own. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // A connection that breaks reports twice: to the waiting query, and here.
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

function checkName(name: string): string {
  if (!plainName.test(name)) throw new RangeError(`"${name}" is no plain database name.`);
  return name;
}
