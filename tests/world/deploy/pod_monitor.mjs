// Says what the Prometheus operator's published schema finds wrong with the PodMonitor on stdin.
import { readFileSync } from "node:fs";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";

try {
  new PodMonitor(JSON.parse(readFileSync(0, "utf8"))).validate();
} catch (fault) {
  console.error(fault.message);
  process.exit(1);
}
