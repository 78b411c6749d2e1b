/** What our panel shows, as plain values. */

/** The findings in the order they are shown, each with what its row says of itself. */
export async function findingRows(viewer) {
  return viewer.part('finding').evaluateAll((rows) =>
    rows.map((row) => ({ finding: row.dataset.finding, action: row.dataset.action ?? null, text: row.innerText }))
  );
}
