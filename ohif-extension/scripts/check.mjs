// Everything that must hold before a change goes in: types and lint side by side, then tests, then the build's budget.
import { spawn } from 'node:child_process';

/** Runs a script of package.json; resolves to whether it passed. Its output is shown when it ends. */
function passes(script) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    const said = [];
    child.stdout.on('data', (part) => said.push(part));
    child.stderr.on('data', (part) => said.push(part));
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(Buffer.concat(said));
      console.log(`${code === 0 ? 'passed' : 'FAILED'}  ${script}  ${seconds} s`);
      resolve(code === 0);
    });
  });
}

for (const together of [['typecheck', 'lint'], ['test'], ['build']]) {
  const passed = await Promise.all(together.map(passes));
  if (passed.includes(false)) process.exit(1);
}
