import { normalizeHandle } from '@chapar/client/text';

export type Field = 'name' | 'handle' | 'password';

/** What a new account asks for, one thing at a time. */
export const STEPS: readonly Field[] = ['name', 'handle', 'password'];

/** The code of what is wrong with a field before the server has seen it; nothing when it may go on. */
export function missing(field: Field, value: string, mode: 'in' | 'up'): 'bad_title' | 'bad_handle' | 'bad_password' | undefined {
  if (field === 'name') return value.trim() === '' ? 'bad_title' : undefined;
  if (field === 'handle') {
    const handle = normalizeHandle(value);
    // Who signs in may have a name of any time: only an empty one is surely none.
    return (mode === 'up' ? /^[a-z][a-z0-9_]{2,31}$/.test(handle) : handle !== '') ? undefined : 'bad_handle';
  }
  const bytes = new TextEncoder().encode(value).length;
  return (mode === 'up' ? bytes >= 8 && bytes <= 1024 : bytes > 0) ? undefined : 'bad_password';
}
