// A look into the server's own Postgres: what it keeps that no screen shows, and messages by the hundred thousand.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

function psql(): string {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => `/usr/lib/postgresql/${version}/bin/psql`).find((path) => existsSync(path));
  return found ?? 'psql';
}

/** Runs SQL in the database of the server whose data lies in a folder; gives its lines. */
export function sql(folder: string, query: string): string[] {
  const args = ['-h', `${folder}/run`, '-U', 'chapar', '-d', 'chapar', '-v', 'ON_ERROR_STOP=1', '-qAtc', query];
  // What belongs to chats and what belongs to people, as an operator would look at both.
  const env = { ...process.env, PGOPTIONS: '-c search_path=chats,people' };
  return execFileSync(psql(), args, { encoding: 'utf8', env }).split('\n').filter(Boolean);
}
