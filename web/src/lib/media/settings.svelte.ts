import { keep, load } from '../state/storage';

export const QUALITIES = ['saver', 'good', 'original'] as const;
export type Quality = (typeof QUALITIES)[number];
export const LOADS = ['always', 'wifi', 'never'] as const;
export type Loads = (typeof LOADS)[number];

/** What of the network a browser tells; most of them tell nothing. */
interface NetworkLike {
  saveData?: boolean;
  type?: string;
}

/** How files are sent and loaded on this device. */
class MediaSettings {
  /** How large pictures are sent. */
  quality = $state<Quality>(QUALITIES.find((it) => it === load('photo-quality')) ?? 'good');
  /** When pictures come by themselves. */
  loads = $state<Loads>(LOADS.find((it) => it === load('media-loads')) ?? 'always');

  setQuality(quality: Quality): void {
    this.quality = quality;
    keep('photo-quality', quality);
  }

  setLoads(loads: Loads): void {
    this.loads = loads;
    keep('media-loads', loads);
  }

  /** Whether pictures come by themselves now. */
  get byThemselves(): boolean {
    const network = (navigator as { connection?: NetworkLike }).connection;
    if (this.loads === 'never' || network?.saveData === true) return false;
    return this.loads === 'always' || network?.type !== 'cellular';
  }
}

export const mediaSettings = new MediaSettings();
