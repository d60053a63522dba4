import type { Message } from '@chapar/client';
import { t } from '../i18n/index.svelte';
import { kindOf, type AnyBody } from './bodies';
import { serviceText } from './service';

/** One line of a body, for lists, quotes and notifications. */
export const lineOf = (body: AnyBody, sender: number): string => kindOf(body).line(body, { words: t(), service: (action) => serviceText(action, sender) });

export const messageLine = ({ body, sender }: Message): string => lineOf(body, sender);
