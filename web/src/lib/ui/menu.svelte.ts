import type { IconName } from './icons';

export interface MenuItem {
  label: string;
  icon: IconName;
  danger?: boolean;
  turns?: boolean;
  run: () => void;
}

export interface OpenMenu {
  label: string;
  items: MenuItem[];
  /** Emoji offered above the items, for reactions. */
  emoji?: { choose: (emoji: string) => void; more: () => void; current: string | undefined };
  /** What the menu is about, lifted over a dimmed page: under a finger a menu would hide it. */
  lift?: HTMLElement;
  /** Its foot is at `y`, not its head: for a button at the foot of the page, which it must not cover. */
  above?: boolean;
  x: number;
  y: number;
}

/** The one menu that may be open. */
class Menu {
  open = $state.raw<OpenMenu | undefined>();

  /** Opens at the pointer, or below the element that was pressed by key. */
  show(event: MouseEvent | HTMLElement, menu: Omit<OpenMenu, 'x' | 'y'>): void {
    if (event instanceof MouseEvent && (event.clientX !== 0 || event.clientY !== 0)) {
      this.open = { ...menu, x: event.clientX, y: event.clientY };
      return;
    }
    const element = event instanceof HTMLElement ? event : (event.currentTarget as HTMLElement | null);
    const box = element?.getBoundingClientRect();
    const rtl = document.documentElement.dir === 'rtl';
    this.open = { ...menu, x: (rtl ? box?.right : box?.left) ?? 0, y: (menu.above ? box?.top : box?.bottom) ?? 0 };
  }
}

export const menu = new Menu();
