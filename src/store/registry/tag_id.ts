/** The id of a tag: its label in lower case, with "-" for spaces and "_", as in ContextForge. Labels with one id are one tag. */
export function tagId(label: string): string {
  return label.trim().toLowerCase().split(/\s+/).join("-").replaceAll("_", "-");
}
