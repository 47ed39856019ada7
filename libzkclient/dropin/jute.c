/*
 * Memory of the public records: allocate_* and deallocate_*.
 *
 * In C because the records are: one definition, in the header, is what programs and these functions
 * are compiled with. Everything is libc's malloc; nothing here knows a connection.
 */
#include <stdlib.h>

#include "zookeeper.jute.h"

#define VECTOR(name, type, release) \
    int allocate_##name(struct name *v, int32_t len) { \
        v->count = len > 0 ? len : 0; \
        v->data = v->count ? calloc((size_t)v->count, sizeof(type)) : NULL; \
        if (v->count && !v->data) v->count = 0; \
        return 0; \
    } \
    int deallocate_##name(struct name *v) { \
        if (v->data) { \
            for (int32_t i = 0; i < v->count; i++) release(&v->data[i]); \
            free(v->data); \
            v->data = NULL; \
        } \
        return 0; \
    }

/* A record without memory of its own. */
#define PLAIN(name) \
    void deallocate_##name(struct name *v) { (void)v; }

#define RECORD(name, ...) \
    void deallocate_##name(struct name *v) { __VA_ARGS__ }

#define TEXT(field) deallocate_String(&v->field);
#define BYTES(field) deallocate_Buffer(&v->field);
#define OF(type, field) deallocate_##type(&v->field);

void deallocate_String(char **s) {
    free(*s);
    *s = NULL;
}

void deallocate_Buffer(struct buffer *b) {
    free(b->buff);
    b->buff = NULL;
}

RECORD(Id, TEXT(scheme) TEXT(id))
RECORD(ACL, OF(Id, id))
PLAIN(Stat)
PLAIN(StatPersisted)
RECORD(ClientInfo, TEXT(authScheme) TEXT(user))
RECORD(ConnectRequest, BYTES(passwd))
RECORD(ConnectResponse, BYTES(passwd))
VECTOR(String_vector, char *, deallocate_String)
RECORD(SetWatches, OF(String_vector, dataWatches) OF(String_vector, existWatches)
                   OF(String_vector, childWatches))
RECORD(SetWatches2, OF(String_vector, dataWatches) OF(String_vector, existWatches)
                    OF(String_vector, childWatches) OF(String_vector, persistentWatches)
                    OF(String_vector, persistentRecursiveWatches))
PLAIN(RequestHeader)
PLAIN(MultiHeader)
RECORD(AuthPacket, TEXT(scheme) BYTES(auth))
PLAIN(ReplyHeader)
RECORD(GetDataRequest, TEXT(path))
RECORD(SetDataRequest, TEXT(path) BYTES(data))
RECORD(ReconfigRequest, TEXT(joiningServers) TEXT(leavingServers) TEXT(newMembers))
PLAIN(SetDataResponse)
RECORD(GetSASLRequest, BYTES(token))
RECORD(SetSASLRequest, BYTES(token))
RECORD(SetSASLResponse, BYTES(token))
VECTOR(ACL_vector, struct ACL, deallocate_ACL)
RECORD(CreateRequest, TEXT(path) BYTES(data) OF(ACL_vector, acl))
RECORD(CreateTTLRequest, TEXT(path) BYTES(data) OF(ACL_vector, acl))
RECORD(DeleteRequest, TEXT(path))
RECORD(GetChildrenRequest, TEXT(path))
RECORD(GetAllChildrenNumberRequest, TEXT(path))
RECORD(GetChildren2Request, TEXT(path))
RECORD(CheckVersionRequest, TEXT(path))
RECORD(GetMaxChildrenRequest, TEXT(path))
PLAIN(GetMaxChildrenResponse)
RECORD(SetMaxChildrenRequest, TEXT(path))
RECORD(SyncRequest, TEXT(path))
RECORD(SyncResponse, TEXT(path))
RECORD(GetACLRequest, TEXT(path))
RECORD(SetACLRequest, TEXT(path) OF(ACL_vector, acl))
PLAIN(SetACLResponse)
RECORD(AddWatchRequest, TEXT(path))
RECORD(WatcherEvent, TEXT(path))
PLAIN(ErrorResponse)
RECORD(CreateResponse, TEXT(path))
RECORD(Create2Response, TEXT(path))
RECORD(ExistsRequest, TEXT(path))
PLAIN(ExistsResponse)
RECORD(GetDataResponse, BYTES(data))
RECORD(GetChildrenResponse, OF(String_vector, children))
PLAIN(GetAllChildrenNumberResponse)
RECORD(GetChildren2Response, OF(String_vector, children))
RECORD(GetACLResponse, OF(ACL_vector, acl))
RECORD(CheckWatchesRequest, TEXT(path))
RECORD(RemoveWatchesRequest, TEXT(path))
RECORD(GetEphemeralsRequest, TEXT(prefixPath))
RECORD(GetEphemeralsResponse, OF(String_vector, ephemerals))
VECTOR(ClientInfo_vector, struct ClientInfo, deallocate_ClientInfo)
RECORD(WhoAmIResponse, OF(ClientInfo_vector, clientInfo))
PLAIN(LearnerInfo)
VECTOR(Id_vector, struct Id, deallocate_Id)
RECORD(QuorumPacket, BYTES(data) OF(Id_vector, authinfo))
RECORD(QuorumAuthPacket, BYTES(token))
PLAIN(FileHeader)
PLAIN(TxnDigest)
PLAIN(TxnHeader)
RECORD(CreateTxnV0, TEXT(path) BYTES(data) OF(ACL_vector, acl))
RECORD(CreateTxn, TEXT(path) BYTES(data) OF(ACL_vector, acl))
RECORD(CreateTTLTxn, TEXT(path) BYTES(data) OF(ACL_vector, acl))
RECORD(CreateContainerTxn, TEXT(path) BYTES(data) OF(ACL_vector, acl))
RECORD(DeleteTxn, TEXT(path))
RECORD(SetDataTxn, TEXT(path) BYTES(data))
RECORD(CheckVersionTxn, TEXT(path))
RECORD(SetACLTxn, TEXT(path) OF(ACL_vector, acl))
RECORD(SetMaxChildrenTxn, TEXT(path))
PLAIN(CreateSessionTxn)
RECORD(CloseSessionTxn, OF(String_vector, paths2Delete))
PLAIN(ErrorTxn)
RECORD(Txn, BYTES(data))
VECTOR(Txn_vector, struct Txn, deallocate_Txn)
RECORD(MultiTxn, OF(Txn_vector, txns))
