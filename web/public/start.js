// In the middle of an upgrade one node may give the page and another be asked for its files, which it does not have: then the
// page is asked for again, a few times, until both come from the same version. It must not be a part of what may be missing.
addEventListener(
  'error',
  ({ target }) => {
    if (!(target instanceof HTMLScriptElement) && !(target instanceof HTMLLinkElement && target.rel === 'stylesheet')) return;
    let tried = 0;
    try {
      tried = Number(sessionStorage['chapar.start'] ?? 0);
      sessionStorage['chapar.start'] = String(tried + 1);
    } catch {
      tried = 5;
    }
    if (tried < 5) setTimeout(() => location.reload(), 300 * 2 ** tried);
  },
  true,
);
addEventListener('load', () =>
  setTimeout(() => {
    try {
      if (document.getElementById('app')?.hasChildNodes()) sessionStorage.removeItem('chapar.start');
    } catch {
      // A browser that gives no storage counts no tries.
    }
  }, 3000),
);
