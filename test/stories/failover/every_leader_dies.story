# Each leader dies at the fencing point of its promotion, until there is only one. Each begins an
# epoch of its own, and the Primary of the first is still waited for.
write every 500ms
at 10s kill node-1
at P2 kill leader
at next P2 kill leader
at 80s start node-1
end 100s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  failover-1 runs: Failover to node-2
  14.4s  status: FailingOver: FailingOver of node-2
  14.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  14.4s  ! kill leader (manager-1)
  14.5s  client: write 30 is refused: Unavailable: no Primary: a promotion is under way
  23.4s  R: epoch 3.nonce-3, no holder, target node-2, S: node-2, node-3
  23.4s  ! kill leader (manager-2)
  32.4s  R: epoch 4.nonce-4, no holder, target node-2, S: node-2, node-3
  32.4s  failover-1: fence-point: epoch 4 is on record; nobody of an earlier one can be acknowledged once fenced
  32.4s  failover-1: fence: answered: node-2, node-3
  32.4s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  44.9s  failover-1: merge: node-2 pulled 0 versions and is frozen
  44.9s  R: epoch 4.nonce-4, holder node-2, S: node-3
  44.9s  failover-1: open: node-2 is the Primary of epoch 4
  44.9s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 4, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  44.9s  failover-1 ends Succeeded: node-2 is the Primary of epoch 4: 20 secrets, lost none, promoted in 31s
  44.9s  manager-3: node-2 is the Primary of epoch 4: 20 secrets, lost none, promoted in 31s
  44.9s  status: Degraded: MemberUnavailable of node-1
  44.9s  manager-3: nothing is wrong with Primary node-2
  45.0s  client: write 91 is acknowledged; the last before was 20, then 70 were refused and 0 in doubt
  46.9s  Event Warning DeviceLost (2 times): the device of node-1 does not answer as it should
  80.0s  ! start node-1
  80.0s  Event Normal DeviceReturned: the device of node-1 is back
  80.0s  R: epoch 4.nonce-4, holder node-2, S: node-1, node-3
  80.0s  status: Ready

node-1: epoch 4, gate closed, 130 secrets, 0 in quarantine
node-2: epoch 4, gate open, 130 secrets, 0 in quarantine
node-3: epoch 4, gate closed, 130 secrets, 0 in quarantine
history: 44.9s Failover Succeeded from node-1 to node-2, epoch 4, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 200 writes: 130 acknowledged (0 of them in doubt before), 70 refused, in doubt to the end: none
acknowledged and not on the Primary: none
