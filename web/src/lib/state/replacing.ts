/**
 * Tells of a worker that waits to replace the one which serves this page. The first one of all replaces nothing, whatever its
 * page sees when it is told: WebKit tells that it is installed when it has the page already.
 */
export function onReplacing(registration: ServiceWorkerRegistration, tell: (waiting: ServiceWorker) => void): void {
  const { waiting, active } = registration;
  if (waiting && active) tell(waiting);
  registration.addEventListener('updatefound', () => {
    const { installing, active: before } = registration;
    if (!installing || !before) return;
    installing.addEventListener('statechange', () => {
      if (installing.state === 'installed') tell(installing);
    });
  });
}
