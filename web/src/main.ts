import { mount } from 'svelte';
import App from './App.svelte';
import { speakOrFallBack } from './lib/i18n/index.svelte';
import { clock } from './lib/state/clock.svelte';
import { prefs } from './lib/state/prefs.svelte';
import { router } from './lib/state/router.svelte';
import { session } from './lib/state/session.svelte';
import { followViewport } from './lib/state/viewport';
import { registerWorker } from './lib/state/worker.svelte';
import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';

// Not at the top level of the module: a file of words imports from this one, and would wait for it for ever.
async function start(): Promise<void> {
  prefs.apply();
  followViewport();
  clock.start();
  router.start();
  const target = document.getElementById('app');
  if (!target) throw new Error('the page has no #app');
  // The store and the words load side by side; nothing is shown in the wrong language.
  await Promise.all([speakOrFallBack(prefs.language), session.open()]);
  mount(App, { target });
  registerWorker();
}

void start();
