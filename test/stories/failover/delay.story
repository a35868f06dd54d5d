# failover.delay gives a host time to restart before anybody takes its place.
set failover.delay 20
write every 500ms
at 10s kill node-1
at 25s start node-1
at 35s kill node-1
end 85s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  manager-1: Primary node-1 is unhealthy, and failover.delay gives it 20s to return
  25.0s  ! start node-1
  25.0s  client: write 51 is refused: ReadOnly: node-1: this member has no grant to write
  25.4s  Event Normal DeviceReturned: the device of node-1 is back
  25.4s  status: Ready
  25.4s  manager-1: nothing is wrong with Primary node-1
  25.5s  client: write 52 is acknowledged; the last before was 20, then 31 were refused and 0 in doubt
  35.0s  ! kill node-1
  35.0s  client: write 71 is refused: Unavailable: connection refused
  35.4s  status: ReadOnly: PrimaryUnavailable of node-1
  35.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  39.4s  Event Warning DeviceLost (2 times): the device of node-1 does not answer as it should
  39.4s  manager-1: Primary node-1 is unhealthy, and failover.delay gives it 20s to return
  55.5s  failover-1 runs: Failover to node-2
  55.5s  status: FailingOver: FailingOver of node-2
  55.5s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  55.5s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  55.5s  failover-1: fence: answered: node-2, node-3
  55.5s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  55.5s  client: write 112 is refused: Unavailable: no Primary: a promotion is under way
  68.0s  failover-1: merge: node-2 pulled 0 versions and is frozen
  68.0s  R: epoch 2.nonce-2, holder node-2, S: node-3
  68.0s  failover-1: open: node-2 is the Primary of epoch 2
  68.0s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  68.0s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 39 secrets, lost none, writes stopped for 32s
  68.0s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 39 secrets, lost none, writes stopped for 32s
  68.0s  status: Degraded: MemberUnavailable of node-1
  68.0s  manager-1: nothing is wrong with Primary node-2
  68.5s  client: write 138 is acknowledged; the last before was 70, then 67 were refused and 0 in doubt

node-1: does not run
node-2: epoch 2, gate open, 72 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 72 secrets, 0 in quarantine
degraded MemberUnavailable of node-1: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
history: 67.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 170 writes: 72 acknowledged (0 of them in doubt before), 98 refused, in doubt to the end: none
acknowledged and not on the Primary: none
