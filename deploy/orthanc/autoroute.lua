-- Sends every stable study of Orthanc to the AI agent, once.
--
-- A study is stable when nothing new came for StableAge seconds. Its images go to the modality named in the section
-- "PacsAgent" of the configuration, and the study is marked in its metadata SentToPacsAgent with the number of images sent.
-- The agent's results make the study stable again; they are no images and change no number, so nothing goes round in a
-- loop. Late images do change the number: the study is then sent again, and the agent reads it anew.

local MARK = 'SentToPacsAgent'
local PARAMETRIC_MAP = '1.2.840.10008.5.1.4.1.1.30' -- saliency; its modality is that of its source

local configuration = GetOrthancConfiguration()
local agent = configuration['PacsAgent'] or {}
local modality = agent['Modality'] or 'pacs-agent'

local skipped_modality = {}
for _, name in ipairs(agent['SkipModalities'] or {'SR', 'SEG', 'KO', 'PR'}) do
  skipped_modality[name] = true
end

local function get(uri)
  return ParseJson(RestApiGet(uri, false))
end

-- AE title of the agent: "DicomModalities" allows a list or a table.
local function agent_ae_title()
  local entry = (configuration['DicomModalities'] or {})[modality] or {}
  return entry['AET'] or entry[1]
end

-- True for a series the agent itself made.
local function is_result(instance)
  local metadata = get('/instances/' .. instance .. '/metadata?expand')
  return metadata['RemoteAET'] == agent_ae_title() or metadata['SopClassUid'] == PARAMETRIC_MAP
end

-- Series of images in a study, and how many instances they hold.
local function images_of(study)
  local series, instances = {}, 0
  for _, entry in ipairs(get('/studies/' .. study .. '/series')) do
    local wanted = not skipped_modality[entry['MainDicomTags']['Modality'] or '']
    if wanted and not is_result(entry['Instances'][1]) then
      table.insert(series, entry['ID'])
      instances = instances + #entry['Instances']
    end
  end
  return series, instances
end

function OnStableStudy(study, tags, metadata)
  local series, instances = images_of(study)
  if instances == 0 or metadata[MARK] == tostring(instances) then
    return
  end
  RestApiPut('/studies/' .. study .. '/metadata/' .. MARK, tostring(instances), false)
  RestApiPost('/modalities/' .. modality .. '/store', DumpJson({Resources = series, Synchronous = false}, true), false)
  print('study ' .. study .. ': ' .. instances .. ' images on their way to ' .. modality)
end

-- The mark of a study that did not arrive is taken back: the next change of the study sends it again. Until then the
-- failed job is listed under "Jobs" in Orthanc Explorer, and can be resubmitted there.
function OnJobFailure(job)
  local content = get('/jobs/' .. job)['Content']
  if content['RemoteAet'] ~= agent_ae_title() then
    return
  end
  for _, series in ipairs(content['ParentResources'] or {}) do
    local study = get('/series/' .. series)['ParentStudy']
    RestApiDelete('/studies/' .. study .. '/metadata/' .. MARK, false)
    print('study ' .. study .. ' could not be sent to ' .. modality .. '; resubmit job ' .. job)
  end
end
