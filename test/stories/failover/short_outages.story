# The Primary is away for less than it takes to be called unhealthy, again and again. Nobody is
# promoted, and writes go on each time.
write every 500ms
at 10s kill node-1
at 13s start node-1
at 20s kill node-1
at 23s start node-1
at 30s stop node-1
at 33s go node-1
end 45s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  13.0s  ! start node-1
  13.0s  client: write 27 is refused: ReadOnly: node-1: this member has no grant to write
  13.4s  status: Ready
  13.4s  manager-1: nothing is wrong with Primary node-1
  13.5s  client: write 28 is acknowledged; the last before was 20, then 7 were refused and 0 in doubt
  20.0s  ! kill node-1
  20.0s  client: write 41 is refused: Unavailable: connection refused
  20.4s  status: ReadOnly: PrimaryUnavailable of node-1
  20.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  23.0s  ! start node-1
  23.0s  client: write 47 is refused: ReadOnly: node-1: this member has no grant to write
  23.4s  status: Ready
  23.4s  manager-1: nothing is wrong with Primary node-1
  23.5s  client: write 48 is acknowledged; the last before was 40, then 7 were refused and 0 in doubt
  30.0s  ! stop node-1
  33.0s  ! go node-1

node-1: epoch 1, gate open, 76 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 76 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 76 secrets, 0 in quarantine
client: 90 writes: 76 acknowledged (0 of them in doubt before), 14 refused, in doubt to the end: none
acknowledged and not on the Primary: none
