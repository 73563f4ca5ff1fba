/**
 * page.js -- a chat in the lobby over the relay: the ten-line client, made to last.
 *
 * It reconnects by itself; the close code says how soon: 1012 (the gateway restarts) spreads, 1013 (overloaded) backs
 * off. What was typed while there was no connection stays in the field: the relay keeps nothing for later.
 */
const messages = document.getElementById('messages');
const form = document.getElementById('form');
const field = document.getElementById('message');
const button = form.querySelector('button');
const status = document.getElementById('status');

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 15000;

/** @type {WebSocket} */
let socket;
let failures = 0;

/** @param {string} text @param {boolean} own */
function show(text, own) {
  const atEnd = messages.parentElement.scrollTop + messages.parentElement.clientHeight
    >= messages.parentElement.scrollHeight - 40;
  const item = document.createElement('li');
  item.textContent = text;
  item.classList.toggle('own', own);
  messages.append(item);
  if (own || atEnd) item.scrollIntoView({ block: 'end' });
}

/** @param {boolean} connected @param {string} text */
function report(connected, text) {
  status.textContent = text;
  button.disabled = !connected;
}

function reconnectDelay(code) {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
  const least = code === 1013 ? 1000 : 0;
  return least + Math.random() * longest; // full jitter: not all at once
}

function connect() {
  socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/#.*$/, ''));
  socket.onopen = () => {
    failures = 0;
    report(true, 'Connected to the lobby');
  };
  socket.onmessage = (event) => show(typeof event.data === 'string' ? event.data : '(binary message)', false);
  socket.onclose = (event) => {
    failures = Math.min(failures + 1, 10);
    report(false, 'Connection lost, connecting again…');
    setTimeout(connect, reconnectDelay(event.code));
  };
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!field.value || socket.readyState !== WebSocket.OPEN) return;
  socket.send(field.value);
  show(field.value, true);
  field.value = '';
});

report(false, 'Connecting…');
connect();
