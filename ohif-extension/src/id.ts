/** Names by which OHIF knows us: the package's name, its panel and its mode. */
export const EXTENSION_ID = 'pacs-agent-ohif';
export const PANEL_NAME = 'reading';
export const PANEL_ID = `${EXTENSION_ID}.panelModule.${PANEL_NAME}`;
export const SR_HANDLER_NAME = 'ai-result';
export const SR_HANDLER_ID = `${EXTENSION_ID}.sopClassHandlerModule.${SR_HANDLER_NAME}`;
export const MODE_NAME = 'pacs-agent';
/** The mode's name in the study list. */
export const MODE_TITLE = 'AI reading';
