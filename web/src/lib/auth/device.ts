/** What this device calls itself in the list of devices: the browser and the system, without versions. */
export function deviceName(agent: string = navigator.userAgent): string {
  const browser =
    /Edg\//.test(agent) ? 'Edge'
    : /Firefox\//.test(agent) ? 'Firefox'
    : /SamsungBrowser\//.test(agent) ? 'Samsung Internet'
    : /Chrom(e|ium)\//.test(agent) ? 'Chrome'
    : /Safari\//.test(agent) ? 'Safari'
    : 'Browser';
  const system =
    /Android/.test(agent) ? 'Android'
    : /iPhone|iPad/.test(agent) ? 'iOS'
    : /Windows/.test(agent) ? 'Windows'
    : /Mac OS X/.test(agent) ? 'macOS'
    : /Linux/.test(agent) ? 'Linux'
    : '';
  return system ? `${browser}, ${system}` : browser;
}
