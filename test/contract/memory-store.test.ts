import type { Report } from '../../src/model/report.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import { storeContract } from './store.ts';

storeContract('memory', { skip: false }, async () => {
  const hub = new MemoryHub();
  return {
    open: (site) => hub.store(site),
    cut: (site) => hub.cut(site),
    heal: (site) => hub.heal(site),
    inject: async (value) => hub.store('sin').publish(value as Report),
    end: async () => {},
  };
});
