/**
 * Keeps `--viewport` at the height that the phone's keyboard leaves: the composer is never under it, also where the
 * browser lays the keyboard over the page.
 */
export function followViewport(): void {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const follow = (): void => {
    // Pinch zoom shrinks the visual viewport too; the layout must not follow that.
    if (Math.abs(viewport.scale - 1) > 0.01) return;
    document.documentElement.style.setProperty('--viewport', `${viewport.height}px`);
    if (viewport.offsetTop > 0) scrollTo(0, 0);
  };
  viewport.addEventListener('resize', follow);
  viewport.addEventListener('scroll', follow);
  follow();
}
