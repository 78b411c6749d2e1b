/** dcmjs publishes no types; the tests use this one function. */
declare module 'dcmjs' {
  const dcmjs: { data: { DicomMetaDictionary: { naturalizeDataset(json: unknown): unknown } } };
  export default dcmjs;
}
