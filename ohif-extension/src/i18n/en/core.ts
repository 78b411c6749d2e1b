/** Messages of the store and of the connection to the agent. */
export const core = {
  panelLabel: 'PACS agent',
  agentSilent: 'The PACS agent does not answer. Its last result is shown as the PACS has it.',
  noAgentNoResult: 'The PACS agent does not answer, and the PACS has no AI result of this study.',
  loginNeeded: 'Log in to see the AI result and to review it.',
  saveConflict: '{by} saved a review meanwhile. Load it, look at your changes again and save once more.',
  saveNewerResult: 'A newer AI result has arrived. Load it and look at your changes again before you save.',
  saveFailed: 'The review was not saved: {reason}',
  saveNeedsAgent: 'A review can be saved only while the PACS agent answers.',
  needsReviewer: 'Your login may look but not review. Ask the operator for the role “reviewer”.',
  nothingToSave: 'Nothing was changed.',
  missing: 'Handle these findings before you verify: {names}.',
  unreachable: 'The PACS agent cannot be reached. Check the network; the panel tries again by itself.',
  refused: 'The PACS agent answered with status {status}. Ask its operator to look into the log.',
  unreadable: 'The PACS agent answered with something the panel cannot read. Are both of the same version?',
  noSlice: 'Show the slice with the finding first.',
} as const;
