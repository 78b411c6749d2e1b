"""The viewer and the panel as a radiologist uses them: Debian's Chromium against the running agent.

Scenarios (scenarios/*.mjs) act and look in the browser; the tests start the agent, send studies, and compare what was
seen with what the API says, what the phantom's truth is, and what lies in the PACS.
"""
