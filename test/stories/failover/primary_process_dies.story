# The Primary's process ends and its port refuses, so that everybody notices at once. Its grant has
# to run out all the same, for nobody can say that the process is really gone. It returns as a
# mirror, and there is no failback.
write every 500ms
read every 1s
at 10s kill node-1
at 40s start node-1
end 60s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   1.0s  client: reads are answered by the Primary, node-1
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.0s  client: reads are marked, from node-2: unreachable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  failover-1 runs: Failover to node-2
  14.4s  status: FailingOver: FailingOver of node-2
  14.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  14.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  14.4s  failover-1: fence: answered: node-2, node-3
  14.4s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  14.5s  client: write 30 is refused: Unavailable: no Primary: a promotion is under way
  15.0s  client: reads are marked, from node-2: a promotion is unfinished
  26.9s  failover-1: merge: node-2 pulled 0 versions and is frozen
  26.9s  R: epoch 2.nonce-2, holder node-2, S: node-3
  26.9s  failover-1: open: node-2 is the Primary of epoch 2
  26.9s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  26.9s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 16s
  26.9s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 16s
  26.9s  status: Degraded: MemberUnavailable of node-1
  26.9s  manager-1: nothing is wrong with Primary node-2
  27.0s  client: reads are answered by the Primary, node-2
  27.0s  client: write 55 is acknowledged; the last before was 20, then 34 were refused and 0 in doubt
  40.0s  ! start node-1
  40.5s  Event Normal DeviceReturned: the device of node-1 is back
  40.5s  R: epoch 2.nonce-2, holder node-2, S: node-1, node-3
  40.5s  status: Ready

node-1: epoch 2, gate closed, 86 secrets, 0 in quarantine
node-2: epoch 2, gate open, 86 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 86 secrets, 0 in quarantine
history: 26.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 120 writes: 86 acknowledged (0 of them in doubt before), 34 refused, in doubt to the end: none
acknowledged and not on the Primary: none
