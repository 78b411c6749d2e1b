/** Mounts the panel in the state that the address asks for; without one, a page of frames with all of them. */
import { mountPanel } from '../src/panel/Panel';
import { openForm, type Form } from '../src/panel/form';
import { STATES, type StateName } from '../src/panel/everyState';
import { setPictureSource } from '../src/panel/rendered';
import { store } from '../src/store/store';

const asked = new URLSearchParams(location.search);
const states = document.getElementById('states') as HTMLElement;
const state = asked.get('state');

function isState(name: string | null): name is StateName {
  return name !== null && name in STATES;
}

if (isState(state)) {
  setPictureSource(() => ({ root: asked.get('pictures') ?? '/dicom-web', headers: {} }));
  document.body.style.margin = '0';
  states.style.display = 'block';
  states.style.padding = '0';
  const frame = document.createElement('div');
  frame.style.cssText = `width:${asked.get('width') ?? 360}px;height:100vh`;
  states.append(frame);
  store.set(STATES[state]);
  mountPanel(frame);
  const form = asked.get('form');
  if (form !== null) setTimeout(() => openForm(form as Form), 50);
} else {
  for (const name of Object.keys(STATES)) {
    const figure = document.createElement('figure');
    figure.innerHTML = `<figcaption>${name}</figcaption><iframe title="${name}" src="?state=${name}&lng=${asked.get('lng') ?? 'en'}" width="360" height="820" style="border:0"></iframe>`;
    states.append(figure);
  }
}
