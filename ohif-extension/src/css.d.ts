/** The build gives a style sheet as text, for a `<style>` element inside the panel's own root. */
declare module '*.css' {
  const text: string;
  export default text;
}
