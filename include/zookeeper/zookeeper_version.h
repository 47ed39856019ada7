/* The release of Apache's C client whose interface these headers have. Licence: Apache-2.0. */
#ifndef ZOOKEEPER_VERSION_H_
#define ZOOKEEPER_VERSION_H_

#define ZOO_VERSION "3.10.0"

/* Integers as the headers up to 3.5 had them; old bindings test them. */
#define ZOO_MAJOR_VERSION 3
#define ZOO_MINOR_VERSION 10
#define ZOO_PATCH_VERSION 0

#endif
