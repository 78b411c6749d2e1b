import type { core as english } from '../en/core';

export const core: Record<keyof typeof english, string> = {
  panelLabel: 'PACS-Agent',
  agentSilent: 'Der PACS-Agent antwortet nicht. Gezeigt wird sein letztes Ergebnis aus dem PACS.',
  noAgentNoResult: 'Der PACS-Agent antwortet nicht, und das PACS hat kein KI-Ergebnis zu dieser Studie.',
  loginNeeded: 'Melden Sie sich an, um das KI-Ergebnis zu sehen und zu beurteilen.',
  saveConflict: '{by} hat inzwischen eine Beurteilung gespeichert. Laden Sie sie, prüfen Sie Ihre Änderungen und speichern Sie erneut.',
  saveNewerResult: 'Ein neueres KI-Ergebnis ist da. Laden Sie es und prüfen Sie Ihre Änderungen, bevor Sie speichern.',
  saveFailed: 'Die Beurteilung wurde nicht gespeichert: {reason}',
  saveNeedsAgent: 'Eine Beurteilung lässt sich nur speichern, solange der PACS-Agent antwortet.',
  needsReviewer: 'Ihre Anmeldung darf lesen, aber nicht beurteilen. Bitten Sie den Betreiber um die Rolle „reviewer“.',
  nothingToSave: 'Es wurde nichts geändert.',
  missing: 'Behandeln Sie vor der Freigabe noch: {names}.',
  unreachable: 'Der PACS-Agent ist nicht erreichbar. Prüfen Sie das Netz; das Panel versucht es von selbst erneut.',
  refused: 'Der PACS-Agent hat mit Status {status} geantwortet. Bitten Sie den Betreiber, im Protokoll nachzusehen.',
  unreadable: 'Der PACS-Agent hat etwas geantwortet, das das Panel nicht lesen kann. Sind beide von derselben Version?',
  noSlice: 'Zeigen Sie zuerst die Schicht mit dem Befund.',
};
