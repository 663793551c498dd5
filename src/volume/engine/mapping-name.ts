/** The name of a container's mapping in device-mapper. */
export const mappingName = ({ uuid }: { readonly uuid: string }): string => `reelvault-${uuid}`;
