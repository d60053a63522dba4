/** The time, coarse: whatever says "5 minutes ago" reads it and is told again. */
class Clock {
  now = $state.raw(new Date());

  start(): void {
    const tell = (): void => {
      this.now = new Date();
    };
    setInterval(tell, 30_000);
    document.addEventListener('visibilitychange', tell);
  }
}

export const clock = new Clock();
