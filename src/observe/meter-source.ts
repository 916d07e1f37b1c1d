/** The kinds of load meter: what reads each. */
import type { Clock } from '../base/clock.ts';
import { err } from '../base/result.ts';
import type { LoadMeterConfig } from '../model/load.ts';
import { commandMeter } from './meter-command.ts';
import { fileMeter } from './meter-file.ts';
import { haproxyMeter } from './meter-haproxy.ts';
import { ipvsMeter } from './meter-ipvs.ts';
import { jsonMeter } from './meter-json.ts';
import { linuxMeter } from './meter-linux.ts';
import { nginxMeter } from './meter-nginx.ts';
import { prometheusMeter } from './meter-prometheus.ts';
import type { ReadMeter } from './meter-reading.ts';
import { socketErrorText } from './socket-error.ts';

type MeterOf = { [Meter in LoadMeterConfig as Meter['kind']]: Meter };
type Kind = keyof MeterOf;

const METERS: { readonly [Each in Kind]: (meter: MeterOf[Each], clock: Clock) => ReadMeter } = {
  haproxy: haproxyMeter,
  nginx: nginxMeter,
  ipvs: ipvsMeter,
  prometheus: prometheusMeter,
  json: jsonMeter,
  file: fileMeter,
  linux: linuxMeter,
  command: commandMeter,
};

function opened<Each extends Kind>(meter: MeterOf[Each] & { kind: Each }, clock: Clock): ReadMeter {
  return METERS[meter.kind](meter, clock);
}

/** What reads the meter, with the memory that rates need. */
export function openMeter(meter: LoadMeterConfig, clock: Clock): ReadMeter {
  const read = opened(meter, clock);
  return async (signal) => {
    try {
      return await read(signal);
    } catch (error) {
      return err(socketErrorText(error as Error));
    }
  };
}
