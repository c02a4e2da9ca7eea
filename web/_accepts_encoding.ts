/**
 * Tells whether an Accept-Encoding field names an encoding; a weight of 0 refuses (RFC 9110
 * 12.5.3).
 */
export function acceptsEncoding(field: string, encoding: string): boolean {
  return field.split(",").some((part) => {
    const [name, ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return name === encoding && !parameters.some((text) => /^q=0(?:\.0*)?$/.test(text));
  });
}
