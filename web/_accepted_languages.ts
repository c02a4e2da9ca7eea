/** Returns the languages of an Accept-Language field, the most wanted first; RFC 9110 12.5.4. */
export function acceptedLanguages(field: string): string[] {
  return field.split(",")
    .map((item) => {
      const [language = "", parameter = ""] = item.split(";").map((part) => part.trim());
      const quality = parameter.startsWith("q=") ? Number(parameter.slice(2)) : 1;
      return { language, quality };
    })
    .filter(({ language, quality }) => language !== "" && quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map(({ language }) => language);
}
