# The Primary's host is gone from one moment to the next, and nothing of it answers any more. Its
# grant has to run out before a mirror takes its place; what was acknowledged is on both mirrors.
write every 500ms
read every 1s
at 10s lose node-1
at 40s start node-1
end 60s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   1.0s  client: reads are answered by the Primary, node-1
  10.0s  ! lose node-1
  15.0s  client: write 21 is refused: Unavailable: no connection
  20.4s  status: ReadOnly: PrimaryUnavailable of node-1
  25.0s  client: reads are marked, from node-2: unreachable: no connection
  40.0s  ! start node-1
  40.0s  client: write 81 is acknowledged; the last before was 20, then 51 were refused and 0 in doubt
  40.0s  client: reads are marked, from node-2: renewing the arbiter: writing Lease default/local-primary: Lease default/local-primary was changed by somebody else: version 72 is now 109
  41.0s  client: reads are answered by the Primary, node-1
  41.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  41.4s  failover-1 runs: Failover to node-2
  41.4s  failover-1 ends Failed: Primary node-1 is healthy: use kubectl hsm promote, which proves equality first
  41.4s  manager-1: Primary node-1 is unhealthy and node-2 holds everything acknowledged; Primary node-1 is healthy: use kubectl hsm promote, which proves equality first
  41.4s  Event Normal DeviceReturned: the device of node-1 is back
  41.4s  status: Ready
  41.4s  manager-1: Primary node-1 is not known to be unhealthy

node-1: epoch 1, gate open, 60 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 60 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 60 secrets, 0 in quarantine
client: 120 writes: 60 acknowledged (0 of them in doubt before), 60 refused, in doubt to the end: none
acknowledged and not on the Primary: none
