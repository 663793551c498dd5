/** The path of a volume in the API, and of what lies below it. */
export const volumeUrl = (name: string, below = ''): string => `/volumes/${encodeURIComponent(name)}${below}`;

export const keysUrl = (name: string, below = ''): string => volumeUrl(name, `/keys${below}`);
