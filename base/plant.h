/* base/plant.h -- bugs planted on purpose, to prove that the simulator's checker
 * would see them. KWI_PLANT is 0 in every build but those of tools/planted.sh, so
 * the conditions below vanish. Numbers are those of the fault catalogue. */
#ifndef KWI_PLANT_H
#define KWI_PLANT_H

#ifndef KWI_PLANT
#define KWI_PLANT 0
#endif

enum {
    KWI_PLANT_P01 = 1,  /* a batch that is sent again takes new sequence numbers */
    KWI_PLANT_P03 = 3,  /* what fails behind an older batch goes to the queue's end */
    KWI_PLANT_P14 = 14, /* an expired batch is freed while its bytes are lent */
    KWI_PLANT_P15 = 15  /* an expired batch's sequence numbers are used again */
};

static inline int kwi_planted(int bug)
{
    return KWI_PLANT == bug;
}

#endif
