import type { Language } from './numbers';

/** Each language by its own name, for those who cannot read the present one. */
const names: Record<Language, string> = { fa: 'فارسی', en: 'English', ar: 'العربية' };

export default names;
