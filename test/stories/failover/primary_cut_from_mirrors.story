# The Primary reaches the managers and not its mirrors, and the managers reach them all. Nobody is
# unhealthy, and no write is confirmed, until the leader takes the mirrors out of the sync set: with
# durability Available the Primary writes alone then, and the leader goes on copying. When they
# reach each other again the mirrors come back.
write every 500ms
at 10s cut node-1 from mirrors
at 30s join node-1
end 45s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! cut node-1 from mirrors
  10.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  10.9s  status: Ready
  15.0s  client: write 21 is in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: no connection; node-3: no connection)
  15.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  15.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  15.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  15.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  16.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  18.4s  client: write 21 stays in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: it did not answer and is left alone for a moment; node-3: it did not answer and is left alone for a moment)
  18.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  18.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  18.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  19.4s  R: epoch 1.nonce-1, holder node-1, S: nobody
  19.4s  client: write 39 is acknowledged; the last before was 20, then 0 were refused and 18 in doubt
  19.4s  manager-1: node-2, node-3 left the sync set: out of the Primary's reach
  19.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  19.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  19.4s  manager-1: nothing is wrong with Primary node-1
  19.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  19.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  20.4s  client: write 34, which was in doubt, is acknowledged
  20.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  20.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  20.5s  client: write 38, which was in doubt, is acknowledged
  20.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  20.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  21.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  21.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  21.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  21.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  22.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  22.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  22.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  22.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  23.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  23.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  23.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  23.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  24.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  24.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  24.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  24.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  25.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  25.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  25.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  25.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  26.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  26.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  26.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  26.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  27.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  27.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  27.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  27.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  28.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  28.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  28.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  28.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  29.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  29.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  29.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  29.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  30.0s  ! join node-1
  30.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  30.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  30.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  30.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  31.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  31.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  31.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  31.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  32.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  32.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  32.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  32.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  33.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  33.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  33.9s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  33.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  34.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  34.4s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  34.9s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3
  34.9s  status: Ready
  34.9s  status: Degraded: PeerUnreachable of node-2, NotEqual of node-2, PeerUnreachable of node-3, NotEqual of node-3, OneFullCopy of local
  35.4s  status: Ready

node-1: epoch 1, gate open, 90 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 90 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 90 secrets, 0 in quarantine
client: 90 writes: 90 acknowledged (18 of them in doubt before), 0 refused, in doubt to the end: none
acknowledged and not on the Primary: none
