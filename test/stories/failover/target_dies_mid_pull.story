# The target of a promotion dies while it pulls what it lacks. The other mirror is half of the sync
# set, and a write may have been acknowledged by the half that is gone, so it is not promoted: the
# promotion stays under way, is told once, and goes on under an epoch of its own when one is back.
write every 100ms
at 10s cut node-1 from node-2
at 10.3s kill node-1
at 10.4s join node-2
at pull kill target
at 60s start node-1
at 60s start node-2
end 90s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! cut node-1 from node-2
  10.3s  ! kill node-1
  10.3s  client: write 104 is refused: Unavailable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  10.4s  ! join node-2
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  failover-1 runs: Failover to node-2
  14.4s  status: FailingOver: FailingOver of node-2
  14.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  14.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  14.4s  failover-1: fence: answered: node-2, node-3
  14.4s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  14.4s  client: write 145 is refused: Unavailable: no Primary: a promotion is under way
  26.9s  ! kill target (node-2)
  26.9s  Event Warning FailoverAborted: Failover to node-2: Unavailable; the history says more
  26.9s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; the promotion of node-2 is begun and not finished: node-2 pulling app/101: connection refused; promote or failover again finishes it
  26.9s  status: FailingOver: FailingOver of node-2, MemberUnavailable of node-1, MemberUnavailable of node-2, OneFullCopy of local
  26.9s  manager-1: it was tried and did not work: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
  31.0s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  60.0s  ! start node-1
  60.0s  ! start node-2
  60.1s  Event Normal DeviceReturned: the device of node-1 is back
  60.1s  Event Normal DeviceReturned: the device of node-2 is back
  60.1s  R: epoch 3.nonce-3, no holder, target node-2, S: node-2, node-3
  60.1s  failover-1: fence-point: epoch 3 is on record; nobody of an earlier one can be acknowledged once fenced
  60.1s  failover-1: fence: answered: node-1, node-2, node-3
  60.1s  failover-1: merge: node-2 pulled 2 versions and is frozen
  60.1s  R: epoch 3.nonce-3, holder node-2, S: node-1, node-3
  60.1s  failover-1: open: node-2 is the Primary of epoch 3
  60.1s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 3, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  60.1s  failover-1 ends Succeeded: node-2 is the Primary of epoch 3: 103 secrets, lost none, promoted in 46s
  60.1s  manager-1: node-2 is the Primary of epoch 3: 103 secrets, lost none, promoted in 46s
  60.2s  status: Ready
  60.2s  manager-1: nothing is wrong with Primary node-2
  60.2s  client: write 603 is acknowledged; the last before was 103, then 499 were refused and 0 in doubt

node-1: epoch 3, gate closed, 401 secrets, 0 in quarantine
node-2: epoch 3, gate open, 401 secrets, 0 in quarantine
node-3: epoch 3, gate closed, 401 secrets, 0 in quarantine
history: 26.9s Failover Failed from node-1 to node-2, epoch 2, lost none: node-2 pulling app/101: connection refused
history: 59.9s Failover Succeeded from node-1 to node-2, epoch 3, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 900 writes: 401 acknowledged (0 of them in doubt before), 499 refused, in doubt to the end: none
acknowledged and not on the Primary: none
