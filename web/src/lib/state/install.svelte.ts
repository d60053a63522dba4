interface InstallPrompt extends Event {
  prompt(): Promise<void>;
}

/** Whether the browser offers to install the app, and asking it to. */
class Install {
  #offer = $state.raw<InstallPrompt | undefined>();

  start(): void {
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#offer = event as InstallPrompt;
    });
    addEventListener('appinstalled', () => (this.#offer = undefined));
  }

  get possible(): boolean {
    return this.#offer !== undefined;
  }

  async ask(): Promise<void> {
    await this.#offer?.prompt();
    this.#offer = undefined;
  }
}

export const install = new Install();
