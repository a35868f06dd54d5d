# A mirror was away and is being brought up to date when the Primary dies. It is not in the sync set
# yet, so the other mirror is promoted, and what the first lacks it gets from there.
write every 500ms
at 5s kill node-2
at 25s start node-2
at copy kill node-1
at 70s start node-1
end 90s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   5.0s  ! kill node-2
   5.4s  status: Degraded: MemberUnavailable of node-2
   9.4s  Event Warning DeviceLost: the device of node-2 does not answer as it should
   9.4s  R: epoch 1.nonce-1, holder node-1, S: node-3
   9.4s  manager-1: node-2 left the sync set: unhealthy
   9.4s  manager-1: nothing is wrong with Primary node-1
  25.0s  ! start node-2
  25.4s  Event Normal DeviceReturned: the device of node-2 is back
  25.4s  ! kill node-1
  25.4s  status: ReadOnly: PrimaryUnavailable of node-1, OneFullCopy of local
  25.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2
  25.4s  manager-1: node-2 did not come into the sync set: preparing node-1: connection refused
  25.5s  client: write 52 is refused: Unavailable: connection refused
  25.9s  status: ReadOnly: PrimaryUnavailable of node-1, OneFullCopy of local
  25.9s  manager-1: Primary node-1 is watched: unreachable: connection refused
  29.9s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  29.9s  failover-1 runs: Failover to node-3
  29.9s  status: FailingOver: FailingOver of node-3, OneFullCopy of local
  29.9s  R: epoch 2.nonce-2, no holder, target node-3, S: node-3
  29.9s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  29.9s  failover-1: fence: answered: node-2, node-3
  29.9s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  30.0s  client: write 61 is refused: Unavailable: no Primary: a promotion is under way
  42.5s  failover-1: merge: node-3 pulled 0 versions and is frozen
  42.5s  R: epoch 2.nonce-2, holder node-3, S: node-2
  42.5s  failover-1: open: node-3 is the Primary of epoch 2
  42.5s  Event Normal HSMFailover: Failover from node-1 to node-3, epoch 2, lost none: Primary node-1 is unhealthy and node-3 can have everything acknowledged
  42.5s  failover-1 ends Succeeded: node-3 is the Primary of epoch 2: 51 secrets, lost none, writes stopped for 16s
  42.5s  manager-1: Primary node-1 is unhealthy and node-3 can have everything acknowledged; node-3 is the Primary of epoch 2: 51 secrets, lost none, writes stopped for 16s
  42.5s  status: Degraded: MemberUnavailable of node-1
  42.5s  manager-1: nothing is wrong with Primary node-3
  42.5s  client: write 86 is acknowledged; the last before was 51, then 34 were refused and 0 in doubt
  70.0s  ! start node-1
  70.0s  Event Normal DeviceReturned: the device of node-1 is back
  70.0s  R: epoch 2.nonce-2, holder node-3, S: node-1, node-2
  70.0s  status: Ready

node-1: epoch 2, gate closed, 146 secrets, 0 in quarantine
node-2: epoch 2, gate closed, 146 secrets, 0 in quarantine
node-3: epoch 2, gate open, 146 secrets, 0 in quarantine
history: 41.9s Failover Succeeded from node-1 to node-3, epoch 2, lost none: Primary node-1 is unhealthy and node-3 can have everything acknowledged
client: 180 writes: 146 acknowledged (0 of them in doubt before), 34 refused, in doubt to the end: none
acknowledged and not on the Primary: none
