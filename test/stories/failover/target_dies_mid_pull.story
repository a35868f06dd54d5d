# The target of a promotion dies while it pulls what it lacks. Another member is chosen, under an
# epoch of its own.
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
  10.4s  ! join node-2
  10.5s  status: ReadOnly: PrimaryUnavailable of node-1
  14.6s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.6s  failover-1 runs: Failover to node-2
  14.6s  status: FailingOver: PrimaryUnavailable of node-1
  14.6s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  14.6s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  14.7s  failover-1: fence: answered: node-2, node-3
  14.7s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  14.7s  client: write 148 is refused: Unavailable: no Primary: a promotion is under way
  27.2s  ! kill target (node-2)
  27.2s  Event Warning FailoverAborted: Failover to node-2: Unavailable; the history says more
  27.2s  manager-1: Primary node-1 is unhealthy and node-2 holds everything acknowledged; the promotion of node-2 is begun and not finished: node-2: connection refused; promote or failover again finishes it
  27.2s  status: no phase: PrimaryUnavailable of node-1
  27.2s  Event Warning FailoverAborted: Failover to node-3: ReadOnly; the history says more
  27.3s  manager-1: it was tried and did not work: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
  27.8s  Event Warning FailoverAborted (2 times): Failover to node-3: ReadOnly; the history says more
  28.3s  Event Warning FailoverAborted (3 times): Failover to node-3: ReadOnly; the history says more
  28.8s  Event Warning FailoverAborted (4 times): Failover to node-3: ReadOnly; the history says more
  29.4s  Event Warning FailoverAborted (5 times): Failover to node-3: ReadOnly; the history says more
  29.9s  Event Warning FailoverAborted (6 times): Failover to node-3: ReadOnly; the history says more
  30.0s  client: write 101 is in doubt: InDoubt: no answer in time
  30.4s  Event Warning FailoverAborted (7 times): Failover to node-3: ReadOnly; the history says more
  30.9s  Event Warning FailoverAborted (8 times): Failover to node-3: ReadOnly; the history says more
  31.4s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  31.5s  Event Warning FailoverAborted (9 times): Failover to node-3: ReadOnly; the history says more
  32.0s  Event Warning FailoverAborted (10 times): Failover to node-3: ReadOnly; the history says more
  32.0s  client: write 101 stays in doubt: ReadOnly: no Primary: a promotion is under way
  32.5s  Event Warning FailoverAborted (11 times): Failover to node-3: ReadOnly; the history says more
  33.0s  Event Warning FailoverAborted (12 times): Failover to node-3: ReadOnly; the history says more
  33.6s  Event Warning FailoverAborted (13 times): Failover to node-3: ReadOnly; the history says more
  34.1s  Event Warning FailoverAborted (14 times): Failover to node-3: ReadOnly; the history says more
  34.6s  Event Warning FailoverAborted (15 times): Failover to node-3: ReadOnly; the history says more
  35.1s  Event Warning FailoverAborted (16 times): Failover to node-3: ReadOnly; the history says more
  35.7s  Event Warning FailoverAborted (17 times): Failover to node-3: ReadOnly; the history says more
  36.2s  Event Warning FailoverAborted (18 times): Failover to node-3: ReadOnly; the history says more
  36.7s  Event Warning FailoverAborted (19 times): Failover to node-3: ReadOnly; the history says more
  37.2s  Event Warning FailoverAborted (20 times): Failover to node-3: ReadOnly; the history says more
  37.8s  Event Warning FailoverAborted (21 times): Failover to node-3: ReadOnly; the history says more
  38.3s  Event Warning FailoverAborted (22 times): Failover to node-3: ReadOnly; the history says more
  38.8s  Event Warning FailoverAborted (23 times): Failover to node-3: ReadOnly; the history says more
  39.4s  Event Warning FailoverAborted (24 times): Failover to node-3: ReadOnly; the history says more
  39.9s  Event Warning FailoverAborted (25 times): Failover to node-3: ReadOnly; the history says more
  40.4s  Event Warning FailoverAborted (26 times): Failover to node-3: ReadOnly; the history says more
  40.9s  Event Warning FailoverAborted (27 times): Failover to node-3: ReadOnly; the history says more
  41.5s  Event Warning FailoverAborted (28 times): Failover to node-3: ReadOnly; the history says more
  42.0s  Event Warning FailoverAborted (29 times): Failover to node-3: ReadOnly; the history says more
  42.5s  Event Warning FailoverAborted (30 times): Failover to node-3: ReadOnly; the history says more
  43.0s  Event Warning FailoverAborted (31 times): Failover to node-3: ReadOnly; the history says more
  43.6s  Event Warning FailoverAborted (32 times): Failover to node-3: ReadOnly; the history says more
  44.1s  Event Warning FailoverAborted (33 times): Failover to node-3: ReadOnly; the history says more
  44.6s  Event Warning FailoverAborted (34 times): Failover to node-3: ReadOnly; the history says more
  45.1s  Event Warning FailoverAborted (35 times): Failover to node-3: ReadOnly; the history says more
  45.7s  Event Warning FailoverAborted (36 times): Failover to node-3: ReadOnly; the history says more
  46.2s  Event Warning FailoverAborted (37 times): Failover to node-3: ReadOnly; the history says more
  46.7s  Event Warning FailoverAborted (38 times): Failover to node-3: ReadOnly; the history says more
  47.2s  Event Warning FailoverAborted (39 times): Failover to node-3: ReadOnly; the history says more
  47.8s  Event Warning FailoverAborted (40 times): Failover to node-3: ReadOnly; the history says more
  48.3s  Event Warning FailoverAborted (41 times): Failover to node-3: ReadOnly; the history says more
  48.8s  Event Warning FailoverAborted (42 times): Failover to node-3: ReadOnly; the history says more
  49.3s  Event Warning FailoverAborted (43 times): Failover to node-3: ReadOnly; the history says more
  49.9s  Event Warning FailoverAborted (44 times): Failover to node-3: ReadOnly; the history says more
  50.4s  Event Warning FailoverAborted (45 times): Failover to node-3: ReadOnly; the history says more
  50.9s  Event Warning FailoverAborted (46 times): Failover to node-3: ReadOnly; the history says more
  51.4s  Event Warning FailoverAborted (47 times): Failover to node-3: ReadOnly; the history says more
  52.0s  Event Warning FailoverAborted (48 times): Failover to node-3: ReadOnly; the history says more
  52.5s  Event Warning FailoverAborted (49 times): Failover to node-3: ReadOnly; the history says more
  53.0s  Event Warning FailoverAborted (50 times): Failover to node-3: ReadOnly; the history says more
  53.6s  Event Warning FailoverAborted (51 times): Failover to node-3: ReadOnly; the history says more
  54.1s  Event Warning FailoverAborted (52 times): Failover to node-3: ReadOnly; the history says more
  54.6s  Event Warning FailoverAborted (53 times): Failover to node-3: ReadOnly; the history says more
  55.1s  Event Warning FailoverAborted (54 times): Failover to node-3: ReadOnly; the history says more
  55.7s  Event Warning FailoverAborted (55 times): Failover to node-3: ReadOnly; the history says more
  56.2s  Event Warning FailoverAborted (56 times): Failover to node-3: ReadOnly; the history says more
  56.7s  Event Warning FailoverAborted (57 times): Failover to node-3: ReadOnly; the history says more
  57.2s  Event Warning FailoverAborted (58 times): Failover to node-3: ReadOnly; the history says more
  57.8s  Event Warning FailoverAborted (59 times): Failover to node-3: ReadOnly; the history says more
  58.3s  Event Warning FailoverAborted (60 times): Failover to node-3: ReadOnly; the history says more
  58.8s  Event Warning FailoverAborted (61 times): Failover to node-3: ReadOnly; the history says more
  59.3s  Event Warning FailoverAborted (62 times): Failover to node-3: ReadOnly; the history says more
  59.9s  Event Warning FailoverAborted (63 times): Failover to node-3: ReadOnly; the history says more
  60.0s  ! start node-1
  60.0s  ! start node-2
  60.4s  Event Normal DeviceReturned: the device of node-1 is back
  60.4s  Event Normal DeviceReturned: the device of node-2 is back
  60.4s  status: FailingOver: PrimaryUnavailable of node-1
  60.4s  R: epoch 3.nonce-3, no holder, target node-2, S: node-2, node-3
  60.4s  failover-1: fence-point: epoch 3 is on record; nobody of an earlier one can be acknowledged once fenced
  60.4s  failover-1: fence: answered: node-1, node-2, node-3
  60.4s  failover-1: merge: node-2 pulled 0 versions and is frozen
  60.4s  R: epoch 3.nonce-3, holder node-2, S: node-1, node-3
  60.4s  failover-1: open: node-2 is the Primary of epoch 3
  60.4s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 3, lost none: Primary node-1 is unhealthy and node-2 holds everything acknowledged
  60.4s  failover-1 ends Succeeded: node-2 is the Primary of epoch 3: 101 secrets, lost none, writes stopped for 0.0s
  60.4s  manager-1: node-2 is the Primary of epoch 3: 101 secrets, lost none, writes stopped for 0.0s
  60.5s  status: Ready
  60.5s  manager-1: Primary node-2 is not known to be unhealthy
  60.5s  client: write 606 is acknowledged; the last before was 100, then 502 were refused and 3 in doubt
  62.1s  client: write 101, which was in doubt, is acknowledged
  62.2s  client: write 102, which was in doubt, is refused: operation op-102 is not among the last of app/102: it was superseded or never done, and is too old to be done now; read the secret, then write anew
  62.3s  client: write 103, which was in doubt, is refused: operation op-103 is not among the last of app/103: it was superseded or never done, and is too old to be done now; read the secret, then write anew

node-1: epoch 3, gate closed, 396 secrets, 0 in quarantine
node-2: epoch 3, gate open, 396 secrets, 0 in quarantine
node-3: epoch 3, gate closed, 396 secrets, 0 in quarantine
history: 50.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 50.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 51.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 51.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 52.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 53.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 53.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 54.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 54.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 55.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 55.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 56.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 56.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 57.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 57.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 58.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 58.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 59.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 59.0s Failover Aborted from node-1 to node-3, epoch 0, lost 1 of 2 members of the sync set answer with their content, 2 must: acknowledged writes may be lost: 1 of 2 members of the sync set answer with their content, 2 must; how many is unknown. Bring node-1 back, or give them up with --accept-loss
history: 60.0s Failover Succeeded from node-1 to node-2, epoch 3, lost none: Primary node-1 is unhealthy and node-2 holds everything acknowledged
client: 900 writes: 396 acknowledged (1 of them in doubt before), 504 refused, in doubt to the end: none
acknowledged and not on the Primary: none
