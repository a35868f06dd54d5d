# The leader dies when the promotion has come to P5.
write every 500ms
read every 1s
at 10s kill node-1
at P5 kill leader
at 50s start node-1
at 50s start manager-1
end 70s
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
  26.9s  ! kill leader (manager-1)
  36.4s  R: epoch 3.nonce-3, no holder, target node-2, S: node-2, node-3
  36.4s  failover-1: fence-point: epoch 3 is on record; nobody of an earlier one can be acknowledged once fenced
  36.4s  failover-1: fence: answered: node-2, node-3
  36.4s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  48.9s  failover-1: merge: node-2 pulled 0 versions and is frozen
  48.9s  R: epoch 3.nonce-3, holder node-2, S: node-3
  48.9s  failover-1: open: node-2 is the Primary of epoch 3
  48.9s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 3, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  48.9s  failover-1 ends Succeeded: node-2 is the Primary of epoch 3: 20 secrets, lost none, promoted in 35s
  48.9s  manager-2: node-2 is the Primary of epoch 3: 20 secrets, lost none, promoted in 35s
  48.9s  status: Degraded: MemberUnavailable of node-1
  48.9s  manager-2: nothing is wrong with Primary node-2
  49.0s  client: reads are answered by the Primary, node-2
  49.0s  client: write 99 is acknowledged; the last before was 20, then 78 were refused and 0 in doubt
  50.0s  ! start node-1
  50.0s  ! start manager-1
  50.4s  R: epoch 3.nonce-3, holder node-2, S: node-1, node-3
  50.4s  status: Ready

node-1: epoch 3, gate closed, 62 secrets, 0 in quarantine
node-2: epoch 3, gate open, 62 secrets, 0 in quarantine
node-3: epoch 3, gate closed, 62 secrets, 0 in quarantine
history: 48.9s Failover Succeeded from node-1 to node-2, epoch 3, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 140 writes: 62 acknowledged (0 of them in doubt before), 78 refused, in doubt to the end: none
acknowledged and not on the Primary: none
