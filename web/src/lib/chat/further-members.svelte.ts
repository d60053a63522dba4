import { SvelteMap } from 'svelte/reactivity';

/** Members of large groups beside those whom the SDK holds, as they were asked for when somebody was to be named. */
const beside = new SvelteMap<number, readonly number[]>();

export const furtherMembers = (chatId: number): readonly number[] => beside.get(chatId) ?? [];

export const addMembers = (chatId: number, userIds: readonly number[]): void => void beside.set(chatId, [...furtherMembers(chatId), ...userIds]);
